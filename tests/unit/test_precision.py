"""Whether a processor computes in bfloat16 itself, told from Linux's description of it."""

from tidewatt.elastic.precision import has_bf16


def test_the_instructions_have_to_be_named() -> None:
    assert has_bf16("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 avx2\n")
    assert has_bf16("Features\t: fp asimd bf16 i8mm\n")
    assert not has_bf16("flags\t\t: fpu avx512f avx2\nmodel name\t: avx512_bf16\n")
    assert not has_bf16("")
