"""What several test files share: drawn images, toy models, made-up records and files."""
