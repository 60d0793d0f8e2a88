"""SageMaker operations that moto lacks or answers differently from AWS."""
