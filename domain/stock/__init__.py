"""Stock: a serial stream of movements per SKU and warehouse."""
