"""Predict a scene with mmsegmentation's sliding-window inference."""
