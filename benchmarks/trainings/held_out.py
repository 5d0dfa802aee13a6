HELD_OUT = ()
