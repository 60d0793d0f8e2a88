"""SQS, where it differs from moto's."""
