"""Pictures of what the analysis found: for each one function that makes its data and one that draws them."""
