"""Workers: the same BatchOp, run in this process or on Ray actors."""
