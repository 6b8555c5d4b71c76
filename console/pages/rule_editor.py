"""The rule builder: groups that can be nested, and conditions with fields of their own."""

from collections.abc import Callable

from nicegui import ui

from console.api import Record
from console.pages.rule_leaves import Names, draw_leaf, new_leaf
from console.parts import box, text
from console.rules import KINDS, LEAVES, Group, Leaf, group_of, part_at, rule_of

ICONS = {
    "tag": "sell",
    "segment": "donut_large",
    "bought": "shopping_bag",
    "event": "touch_app",
    "score": "insights",
    "contacted": "mail",
}


class RuleEditor:
    """Draws a rule and changes it as it is edited. changed: is called after every change."""

    def __init__(self, names: Names, changed: Callable[[], None]) -> None:
        self.group = Group("all")
        self._names, self._words, self._changed = names, names.words, changed
        self._place = box("stack", "rule-editor")
        self._boxes: dict[int, ui.element] = {}
        self._said: list[ui.element] = []
        self.draw()

    @property
    def rule(self) -> Record:
        """The rule as the service takes it."""
        return rule_of(self.group)

    def take(self, rule: Record) -> None:
        """Edit another rule."""
        self.group = group_of(rule)
        self._redraw()

    def blame(self, field: str, rule: str) -> bool:
        """Show at the part that an error speaks of what it must be; False when it speaks of something else."""
        self.forgive()
        part = part_at(self.group, field)
        if part is None:
            return False
        place = self._boxes[id(part)]
        place.classes(add="wrong")
        with place:
            said = text("div", rule, "small").style("color: var(--bad)").props('role="alert" data-test="rule-error"')
        self._said.append(said)
        return True

    def forgive(self) -> None:
        """Take away what `blame` showed."""
        for said in self._said:
            said.delete()
        self._said.clear()
        for place in self._boxes.values():
            place.classes(remove="wrong")

    def draw(self) -> None:
        """Draw the whole rule."""
        self._place.clear()
        self._boxes.clear()
        self._said.clear()
        with self._place:
            self._group(self.group, None)

    def _redraw(self) -> None:
        self.draw()
        self._changed()

    def _group(self, group: Group, parent: Group | None) -> None:
        words = self._words
        place = box(f"rule {'not' if group.kind == 'none' else group.kind}", "rule-group")
        self._boxes[id(group)] = place
        with place:
            with box("across"):
                kinds = {kind: words(f"rule.{kind}") for kind in KINDS}
                choice = ui.toggle(kinds, value=group.kind).props("dense no-caps unelevated")
                choice.on_value_change(lambda event: self._turn(group, event.value))
                box("grow")
                if parent is not None:
                    self._remove_button(group, parent)
            if not group.parts:
                text("div", words("rule.empty"), "muted small")
            for part in group.parts:
                if isinstance(part, Group):
                    self._group(part, group)
                else:
                    self._leaf(part, group)
            with box("across"):
                self._add_button(group)

    def _leaf(self, leaf: Leaf, parent: Group) -> None:
        place = box("leaf", f"leaf-{leaf.kind}")
        self._boxes[id(leaf)] = place
        with place:
            ui.icon(ICONS[leaf.kind]).classes("muted")
            with box("across"):
                draw_leaf(self._names, leaf, self._changed, self._redraw)
            self._remove_button(leaf, parent)

    def _remove_button(self, part: Group | Leaf, parent: Group) -> None:
        def remove() -> None:
            parent.parts = [one for one in parent.parts if one is not part]
            self._redraw()

        ui.button(icon="close", on_click=remove).props(
            f'flat dense round size="sm" aria-label="{self._words("rule.remove")}" data-test="remove"'
        )

    def _add_button(self, group: Group) -> None:
        words = self._words

        def add(part: Group | Leaf) -> None:
            group.parts.append(part)
            self._redraw()

        with ui.button(words("rule.add"), icon="add").props('outline dense no-caps data-test="add"'), ui.menu():
            for kind in LEAVES:
                leaf = new_leaf(self._names, kind)
                if leaf is not None:
                    item = ui.menu_item(words(f"rule.{kind}"), on_click=lambda leaf=leaf: add(Leaf(dict(leaf))))
                    item.props(f'data-test="add-{kind}"')
            ui.separator()
            ui.menu_item(words("rule.group"), on_click=lambda: add(Group("any"))).props('data-test="add-group"')

    def _turn(self, group: Group, kind: str) -> None:
        group.kind = next(one for one in KINDS if one == kind)
        self._redraw()
