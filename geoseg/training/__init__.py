"""Recipe to bundle: `schedule`, `module` (Lightning), `callbacks`, `fit`."""
