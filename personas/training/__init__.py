"""Training the small model of :mod:`personas.local` from the examples; only this needs scikit-learn."""
