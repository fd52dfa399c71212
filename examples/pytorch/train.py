"""Trains an iris classifier, exported by torch.export, in the claim that isvc.yaml names.

On the embedded engine a claim is a folder, $ROUSE_HOME/volumes/<namespace>/<claim>; that is where
the model goes unless --out says otherwise.
"""

import argparse
import os
from pathlib import Path

import torch
from sklearn.datasets import load_iris
from torch import nn


def main() -> None:
    home = Path(os.environ.get("ROUSE_HOME") or Path.home() / ".rouse")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=home / "volumes" / "default" / "models")
    folder = parser.parse_args().out / "iris-pytorch"
    folder.mkdir(parents=True, exist_ok=True)
    table, labels = load_iris(return_X_y=True)
    rows, classes = torch.tensor(table, dtype=torch.float32), torch.tensor(labels)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3), nn.Softmax(-1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(300):
        optimizer.zero_grad()
        loss = nn.functional.nll_loss(torch.log(net(rows)), classes)
        torch.autograd.backward(loss)
        optimizer.step()
    batch = torch.export.Dim("batch", min=1, max=4096)
    program = torch.export.export(net.eval(), (rows[:2],), dynamic_shapes=({0: batch},))
    torch.export.save(program, folder / "model.pt2")
    print(folder)


if __name__ == "__main__":
    main()
