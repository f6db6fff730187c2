"""Learn to read handwritten digits, and let the team watch.

    pip install wandb scikit-learn
    export WANDB_BASE_URL=http://localhost:8080
    wandb login
    python examples/digits.py --entity example-team --lr 0.005 --hidden 64

The data comes with scikit-learn: 1,797 scans of 8 x 8 pixels. One epoch takes a few hundredths of a second;
--sleep slows it down, so that the curves can be watched as they grow.
"""

import argparse
import time

import joblib
import numpy as np
import wandb
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

DIGITS = np.arange(10)


def main():
    options = read_options()
    images, labels = load_digits(return_X_y=True)
    images = images / 16  # a pixel is 0 to 16
    train_images, val_images, train_labels, val_labels = train_test_split(
        images, labels, test_size=0.3, stratify=labels, random_state=0
    )
    model = MLPClassifier(
        hidden_layer_sizes=(options.hidden,),
        learning_rate_init=options.lr,
        batch_size=options.batch_size,
        random_state=options.seed,
    )

    # Whatever is in config becomes a column of the experiments table.
    config = {name: getattr(options, name) for name in ("lr", "hidden", "batch_size", "epochs", "seed")}
    with wandb.init(entity=options.entity, project=options.project, name=options.name, config=config) as run:
        for epoch in range(options.epochs):
            model.partial_fit(train_images, train_labels, classes=DIGITS)

            guesses = model.predict(val_images)
            metrics = {
                "train/loss": log_loss(train_labels, model.predict_proba(train_images)),
                "train/accuracy": model.score(train_images, train_labels),
                "val/loss": log_loss(val_labels, model.predict_proba(val_images)),
                "val/accuracy": accuracy_score(val_labels, guesses),
            }
            if epoch % 10 == 0 or epoch == options.epochs - 1:
                metrics["wrong"] = wrong_digits(val_images, val_labels, guesses)
                metrics["confusion"] = confusion_table(val_labels, guesses)
            run.log(metrics)

            print(
                f"epoch {epoch:3d}  train loss {metrics['train/loss']:.4f}"
                f"  val loss {metrics['val/loss']:.4f}  val accuracy {metrics['val/accuracy']:.3f}",
                flush=True,
            )
            time.sleep(options.sleep)

        save_model(run, model)
        print(f"Done: {metrics['val/accuracy']:.1%} of the digits it had never seen are read right.")


def wrong_digits(images, labels, guesses, most=12):
    """The first few mistakes as pictures, eight times their size."""
    wrong = np.flatnonzero(labels != guesses)[:most]
    return [
        wandb.Image(
            np.kron(255 * (1 - images[i].reshape(8, 8)), np.ones((8, 8))).astype(np.uint8),
            caption=f"is {labels[i]}, read as {guesses[i]}",
        )
        for i in wrong
    ]


def confusion_table(labels, guesses):
    """One row per digit: how often it was read as which."""
    counts = confusion_matrix(labels, guesses, labels=DIGITS)
    rows = [[int(digit), *map(int, row)] for digit, row in zip(DIGITS, counts)]
    return wandb.Table(columns=["digit", *(f"read as {digit}" for digit in DIGITS)], data=rows)


def save_model(run, model):
    """Once as a file of this experiment, once as a version of the artifact that other scripts can use."""
    joblib.dump(model, "digits.joblib")
    run.save("digits.joblib")
    artifact = wandb.Artifact("digits", type="model", metadata={"layers": [coef.shape for coef in model.coefs_]})
    artifact.add_file("digits.joblib")
    run.log_artifact(artifact)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entity", help="the team to log into; your default team if absent")
    parser.add_argument("--project", default="digits")
    parser.add_argument("--name", help="the experiment's name; a random one if absent")
    parser.add_argument("--lr", type=float, default=0.005, help="learning rate")
    parser.add_argument("--hidden", type=int, default=32, help="units of the hidden layer")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sleep", type=float, default=0, help="seconds to wait after each epoch")
    return parser.parse_args()


if __name__ == "__main__":
    main()
