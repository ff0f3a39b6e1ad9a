"""Client-local category discovery (CLCD): private features in, concepts out (docs/method.md#discovery)."""
