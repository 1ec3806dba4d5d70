"""Pointing at one event in a picture: here is what a check is about."""

from dataclasses import replace

from asgi_lab.scene.model import Note, Scene
from asgi_lab.scene.roles import MARK

HERE = "▲ here"


def pointed(scene: Scene, event: int) -> Scene:
    """Return a scene with a note at an event; of a step that tells several, at that step."""
    known = [arrow for arrow in scene.arrows if arrow.event >= 0]
    before = [arrow for arrow in known if arrow.event <= event]
    arrow = max(before, key=lambda a: a.event, default=known[0] if known else None)
    if arrow is not None:
        lane = max(arrow.source, arrow.target)
        note = Note(arrow.at + 0.25, lane, HERE, MARK)
        notes = sorted([*scene.notes, note], key=lambda each: each.at)
        return replace(scene, notes=tuple(notes))
    for item in scene.items:
        if item.event == event:
            note = Note(item.begin, item.lane, HERE, MARK)
            return replace(scene, notes=(*scene.notes, note))
    return scene
