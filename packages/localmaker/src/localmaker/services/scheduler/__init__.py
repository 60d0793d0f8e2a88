"""Schedules of EventBridge rules and of EventBridge Scheduler."""
