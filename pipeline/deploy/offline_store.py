"""Where the offline store of the feature groups is; resources and permissions agree on it."""

#: Folder of the artifacts bucket. It never expires.
OFFLINE_FOLDER = "feature-store"
#: Glue database in which the Feature Store makes the tables of all offline stores of an account.
OFFLINE_DATABASE = "sagemaker_featurestore"
