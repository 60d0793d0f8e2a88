"""S3: what moto's S3 lacks or answers in another way than AWS."""
