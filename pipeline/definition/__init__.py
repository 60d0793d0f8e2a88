"""What is deployed as pipelines: the two graphs, the steps they are made of, the code that the steps run."""
