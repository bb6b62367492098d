"""The official scores as pure functions over plain records, each as a sum over examples so that it can be resampled."""
