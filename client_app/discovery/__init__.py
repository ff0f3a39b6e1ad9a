"""Client-local category discovery (CLCD): private features in, concepts out. METHODS 1.3 and 1.8."""
