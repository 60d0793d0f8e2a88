"""CloudFormation: moto reads templates and keeps stacks; resources are made by the endpoint's own APIs, or refused."""
