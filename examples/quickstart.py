"""The smallest script that logs: pip install wandb; export WANDB_BASE_URL=…; wandb login; python quickstart.py"""

import random

import wandb

with wandb.init(project="quickstart", config={"lr": 0.1}) as run:
    loss = 1.0
    for step in range(100):
        loss *= 1 - run.config.lr * random.random()
        run.log({"loss": loss})
