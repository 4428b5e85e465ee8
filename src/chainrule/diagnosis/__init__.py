"""What may be wrong with a trained model: each examination in its own file, what it found with its numbers."""

from chainrule.diagnosis.diagnosis import Diagnosis
from chainrule.diagnosis.examine import diagnose
from chainrule.diagnosis.finding import Examined, Finding
from chainrule.diagnosis.subject import Given, Subject

__all__ = ["Diagnosis", "Examined", "Finding", "Given", "Subject", "diagnose"]
