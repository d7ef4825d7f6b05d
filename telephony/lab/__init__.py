"""Simulators that newcomers and tests share; each speaks the real wire and can misbehave."""
