"""SageMaker operations that moto lacks or answers otherwise than AWS, beside jobs, pipelines and the Feature Store."""
