"""Keeps LeadByte queue results and LeadSquared leads in step."""
