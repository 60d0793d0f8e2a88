"""CloudWatch: alarms that watch the metrics that moto stores."""
