"""What can't be read about an account, tried out: small things are made, asked, and removed again."""
