"""Who may deploy: policies for people and for GitHub Actions."""
