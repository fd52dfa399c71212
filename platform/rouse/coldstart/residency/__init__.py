"""Which node keeps which model and image, by what that saves. Pure.

Here belong the planner (`place`) and what a wake-up would cost without a copy (`demand`). Reading
objects of the cluster and writing them does not: that is for `rouse.controllers`.
"""

from rouse.coldstart.residency.demand import Demand, benefit_of, demand_of
from rouse.coldstart.residency.place import place
from rouse.coldstart.residency.types import Disk, Item, Move, Placement

__all__ = ["Demand", "Disk", "Item", "Move", "Placement", "benefit_of", "demand_of", "place"]
