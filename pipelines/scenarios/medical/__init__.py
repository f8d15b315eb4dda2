"""Patients with cough and short breath."""
