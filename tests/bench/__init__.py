"""What we promise about speed, measured beside a yardstick."""
