"""What a run comes to, by kind of method: the model that is kept, and the final scores.

Each module has ``final_model(config, method)``, ``delivery_scores(config, method, replies)`` and
``final_scores(config, history, delivered)``; a method's registry entry names its module.
"""
