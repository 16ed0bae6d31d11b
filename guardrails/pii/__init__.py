"""Personal data: the guard, and its parts."""

from guardrails.pii.detect import DetectionTimeout, Detector
from guardrails.pii.detection import Detection
from guardrails.pii.guard import PiiGuard

__all__ = ["Detection", "DetectionTimeout", "Detector", "PiiGuard"]
