"""EventBridge: patterns, target inputs, delivery with retries and dead letters, and who publishes what."""
