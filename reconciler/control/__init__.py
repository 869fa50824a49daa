"""The cycle: observe, plan, apply, record. Effects happen here, through ports."""
