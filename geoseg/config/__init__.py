"""Recipes: `recipe` (what one says, typed; the only home of defaults), `load` (finding, overriding, checking it)."""
