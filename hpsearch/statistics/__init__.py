"""Statistics of numbers: noise of seeds, tied sets, which setting to run again; knows nothing of studies."""
