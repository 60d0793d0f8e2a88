"""Coming back after an account is gone: a backup outside of it, and its restoration into another one."""
