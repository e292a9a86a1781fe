"""What pydantic found wrong, in our words: one table from its error types to sentences.

Every sentence says what was found and what is allowed; the hint says the nearest correct spelling, or what to write.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cloudml.records import dataclass
from cloudml.specs import shape
from cloudml.specs.base import METRIC, NAME, PARAMETER, PORT, PROJECT, VARIABLE
from cloudml.specs.described import descriptions
from cloudml.specs.document import Problem
from cloudml.specs.native import WithNative
from cloudml.specs.project import SECTIONS
from cloudml.spelling import did_you_mean, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cloudml.specs.document import Document, Path

LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Mistake:
    """One of pydantic's errors, and where it is in the file.

    Attributes:
        path: Keys and indices of the file; what pydantic adds to them (tags of unions) is gone.
        on_key: Whether the key itself is wrong, and not what it holds.
        text: The scalar as it was written.
        references: All that a reference in this file may say.
    """

    path: Path
    type: str
    input: Any
    context: Mapping[str, Any]
    on_key: bool
    text: str
    providers: Sequence[str]
    references: Sequence[str]

    @property
    def field(self) -> str:
        return str(self.path[-1]) if self.path else "the file"


class Sentences:
    """Turns the errors of one file into problems."""

    def __init__(self, document: Document, providers: Sequence[str]) -> None:
        self._document = document
        self._providers = providers
        self._references = _references(document.value)

    def problem(self, error: Mapping[str, Any]) -> Problem:
        """The error of pydantic as a problem of the file."""
        location = error["loc"]
        on_key = location[-1:] == ("[key]",)
        missing = error["type"] == "missing"
        path = _in_file(location[:-1] if on_key or missing else location, self._document.value)
        path = (*path, location[-1]) if missing else path
        mistake = Mistake(
            path=path,
            type=error["type"],
            input=error["input"],
            context=error.get("ctx", {}),
            on_key=on_key,
            text=self._document.texts.get(path, ""),
            providers=self._providers,
            references=self._references,
        )
        return _told(mistake)


def _told(mistake: Mistake) -> Problem:
    message, hint = _SENTENCES.get(mistake.type, _other)(mistake)
    at_key = mistake.on_key or mistake.type in {"extra_forbidden", "missing"}
    path = (*mistake.path, mistake.context["field"]) if mistake.type == "conflict" else mistake.path
    return Problem(path, message, hint, at="key" if at_key else "value")


def shown(value: Any) -> str:
    """A value as a message may show it: short, on one line. Of a secret, another message is told in place of this."""
    if value is None:
        return "empty"
    if isinstance(value, dict | list | tuple):
        return "a block" if isinstance(value, dict) else "a list"
    text = " ".join(str(value).split())
    return f"`{text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + '…'}`"


def _in_file(location: Sequence[str | int], value: Any) -> Path:
    """The parts of *location* that lead through *value*; those that do not are pydantic's own."""
    path: list[str | int] = []
    for part in location:
        inside = part in value if isinstance(value, dict) else isinstance(part, int) and isinstance(value, list)
        if inside:
            value = value[part]
            path.append(part)
    return tuple(path)


def _references(value: Mapping[str, Any]) -> tuple[str, ...]:
    """What can be referred to, as far as an unchecked file shows it."""
    found = []
    for section in SECTIONS:
        resources = value.get(section)
        for name, resource in (resources if isinstance(resources, dict) else {}).items():
            found.append(f"{section}.{name}")
            for field in ("outputs", "metrics") if isinstance(resource, dict) else ():
                parts = resource.get(field)
                found += [f"{section}.{name}.{part}" for part in (parts if isinstance(parts, list) else ())]
    return tuple(found)


def _found(mistake: Mistake, wanted: str) -> str:
    is_read_otherwise = mistake.text and isinstance(mistake.input, bool | int | float)
    found = f"`{mistake.text[:LONGEST_SHOWN]}`" if is_read_otherwise else shown(mistake.input)
    return f"`{mistake.field[:LONGEST_SHOWN]}` is {found}; {wanted}"


def _unknown(mistake: Mistake) -> tuple[str, str]:
    here = shape.place(mistake.path)
    blocks = ", or a provider's block" if issubclass(here.model, WithNative) else ""
    allowed = f"{shape.NOUNS[here.model]} takes {listed(shape.fields(here.model))}{blocks}"
    hint = shape.advice(mistake.field, here, mistake.providers)
    return f"`{mistake.field[:LONGEST_SHOWN]}` is not known here; {allowed}", hint


def _missing(mistake: Mistake) -> tuple[str, str]:
    here = shape.place(mistake.path)
    description = descriptions(here.model).get(mistake.field, "")
    return f"`{mistake.field}` is missing: {shape.NOUNS[here.model]} needs it", description.replace("``", "`")


def _text(mistake: Mistake) -> tuple[str, str]:
    if mistake.input is None or isinstance(mistake.input, dict | list):
        return _found(mistake, "text is wanted"), ""
    return _found(mistake, "text is wanted, and YAML reads this otherwise"), f'put it in quotes: `"{mistake.text}"`'


def _wanted(what: str, hint: str = "") -> Callable[[Mistake], tuple[str, str]]:
    return lambda mistake: (_found(mistake, f"{what} is wanted"), hint)


def _boolean(mistake: Mistake) -> tuple[str, str]:
    meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(str(mistake.input).lower())
    return _found(mistake, "`true` or `false` is wanted"), f"write `{meant}`" if meant else ""


def _number(what: str) -> Callable[[Mistake], tuple[str, str]]:
    def sentence(mistake: Mistake) -> tuple[str, str]:
        quoted = isinstance(mistake.input, str) and re.fullmatch(r"-?\d+(\.\d+)?", mistake.input)
        return _found(mistake, f"{what} is wanted"), "leave the quotes out" if quoted else ""

    return sentence


def _block(mistake: Mistake) -> tuple[str, str]:
    model = shape.place((*mistake.path, "")).model
    return _found(mistake, f"a block is wanted, with keys of {shape.NOUNS[model]}: {listed(shape.fields(model))}"), ""


def _names(mistake: Mistake) -> tuple[str, str]:
    return _found(mistake, "a block is wanted: names, each with a value"), ""


def _list(mistake: Mistake) -> tuple[str, str]:
    hint = f"write `[{mistake.input}]`" if isinstance(mistake.input, str) and len(mistake.input) < LONGEST_SHOWN else ""
    return _found(mistake, "a list is wanted"), hint


_INSTANCES_OF = {
    "Size": ("a size with its unit, such as `16GiB`,", "GiB"),
    "timedelta": ("a duration with its unit, such as `90s` or `2h`,", "s"),
    "Threshold": ("a comparison with a number, such as `>= 0.70`,", ""),
}


def _unit(mistake: Mistake) -> tuple[str, str]:
    what, unit = _INSTANCES_OF.get(mistake.context.get("class", ""), ("another value", ""))
    is_number = isinstance(mistake.input, int | float) and not isinstance(mistake.input, bool)
    hint = f"did you mean `{mistake.text}{unit}`?" if is_number and unit else ""
    hint = f"did you mean `>= {mistake.text}`?" if is_number and not unit else hint
    return _found(mistake, f"{what} is wanted"), hint


def _bound(relation: str, key: str) -> Callable[[Mistake], tuple[str, str]]:
    return lambda mistake: (_found(mistake, f"it must be {relation} {mistake.context[key]:g}"), "")


def _choice(mistake: Mistake) -> tuple[str, str]:
    allowed = re.findall(r"'([^']*)'", str(mistake.context.get("expected", "")))
    return _found(mistake, f"allowed: {listed(allowed)}"), did_you_mean(str(mistake.input), allowed)


def _length(mistake: Mistake) -> tuple[str, str]:
    if not mistake.input:
        field = shape.place(mistake.path).model.model_fields.get(mistake.field)
        optional = field is not None and not field.is_required()
        return f"`{mistake.field}` is empty", "write something, or leave the key out" if optional else ""
    limit = mistake.context.get("max_length", mistake.context.get("min_length"))
    return f"`{mistake.field}` has {len(mistake.input)} characters or members; the limit is {limit}", ""


def _ours(mistake: Mistake) -> tuple[str, str]:
    return f"`{mistake.field}`: {mistake.context['error']}", ""


def _conflict(mistake: Mistake) -> tuple[str, str]:
    return str(mistake.context["message"]), ""


def _reserved(mistake: Mistake) -> tuple[str, str]:
    return f"the name `{mistake.context['name'][:LONGEST_SHOWN]}` is reserved: {mistake.context['why']}", "take another"


_ALPHABETS: Mapping[str, tuple[str, str]] = {
    PROJECT: ("a project's name: 2 to 31 small letters, digits and `-`, a letter first", "-"),
    NAME: ("a name: at most 31 small letters, digits and `-`, a letter first", "-"),
    PORT: ("a name: at most 31 small letters, digits and `_`, a letter first", "_"),
    PARAMETER: ("a parameter's name: at most 64 letters, digits, `_`, `.` and `-`, a letter first", "_"),
    METRIC: ("a metric's name: letters, digits, `_`, `.`, `/` and `-`, a letter first", "_"),
    VARIABLE: ("a variable's name: letters, digits and `_`, no digit first", "_"),
}


def _pattern(mistake: Mistake) -> tuple[str, str]:
    pattern = mistake.context["pattern"]
    given = str(mistake.input)
    what = shown(given)
    if pattern in _ALPHABETS:
        rule, dash = _ALPHABETS[pattern]
        tame = re.sub(r"[^a-z0-9]+", dash, given.lower()[:31]).strip(dash)
        good = f"write `{tame}`" if re.fullmatch(pattern, tame) else ""
        return f"{what} is not {rule}", good
    form = _FORMS.get(pattern, "written as it should be")
    hint = did_you_mean(given, mistake.references) if "reference" in form else _version_hint(mistake)
    return f"{what} is not {form}", hint


def _version_hint(mistake: Mistake) -> str:
    numbers = re.match(r"\D*(\d+(\.\d+){0,2})", str(mistake.input)) if mistake.field == "version" else None
    return f'write `"{numbers[1]}"`' if numbers else ""


def _forms() -> dict[str, str]:
    """The patterns of fields that are neither names nor references, as sentences."""
    from cloudml.specs import references
    from cloudml.specs.job import FrameworkSpec, JobSpec
    from cloudml.specs.model import ModelSpec

    def of(model: Any, field: str) -> str:
        return str(next(item.pattern for item in model.model_fields[field].metadata if getattr(item, "pattern", None)))

    def kind(reference: Any) -> str:
        return str(reference.__metadata__[0].pattern)

    return {
        of(JobSpec, "script"): "a script: a relative path that ends in `.py` or `.sh`",
        of(ModelSpec, "predictor"): "a predictor: `file.py:Class` or `file.py`, a relative path",
        of(FrameworkSpec, "version"): "a version: one to three numbers, such as `1.5`",
        kind(references.DataReference): "a reference to data: `datasets.NAME` or `jobs.NAME.OUTPUT`",
        kind(references.OutputReference): "a reference to an output: `jobs.NAME.OUTPUT`",
        kind(references.MetricReference): "a reference to a metric: `jobs.NAME.METRIC`",
        kind(references.ModelReference): "a reference to a model: `models.NAME`",
        kind(references.EndpointReference): "a reference to an endpoint: `endpoints.NAME`",
    }


_FORMS = _forms()


def _other(mistake: Mistake) -> tuple[str, str]:
    return _found(mistake, "another value is wanted"), ""


_SENTENCES: Mapping[str, Callable[[Mistake], tuple[str, str]]] = {
    "extra_forbidden": _unknown,
    "missing": _missing,
    "string_type": _text,
    "int_type": _number("a whole number"),
    "float_type": _number("a number"),
    "bool_type": _boolean,
    "scalar": _wanted("text, a number, `true` or `false`"),
    "finite_number": _wanted("a finite number"),
    "instances": _wanted("a number, or a range such as `{min: 1, max: 4}`,"),
    "is_instance_of": _unit,
    "model_type": _block,
    "model_attributes_type": _block,
    "dict_type": _names,
    "mapping_type": _names,
    "tuple_type": _list,
    "greater_than_equal": _bound("at least", "ge"),
    "less_than_equal": _bound("at most", "le"),
    "literal_error": _choice,
    "string_too_short": _length,
    "string_too_long": _length,
    "too_short": _length,
    "too_long": _length,
    "string_pattern_mismatch": _pattern,
    "value_error": _ours,
    "conflict": _conflict,
    "reserved": _reserved,
}
