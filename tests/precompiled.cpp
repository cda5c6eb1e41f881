// A precompiled header belongs to a target, and a target has a source: see dirql_reuse_precompiled.
