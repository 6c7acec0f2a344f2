"""What the operator tells us, and what we tell Asterisk and PostgreSQL: settings, templates, migrations, city packs."""
