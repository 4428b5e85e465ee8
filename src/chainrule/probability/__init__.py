"""Predictions that know how sure they are: distributions, their scores, calibration, conformal sets, posteriors."""
