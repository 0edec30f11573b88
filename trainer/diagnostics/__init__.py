"""What a network's outputs, loss and time hang on: functions of a module, a loss and batches, of any kind."""
