"""The same scoring over much data: in parts with bounded memory, on this machine or on many (Ray)."""
