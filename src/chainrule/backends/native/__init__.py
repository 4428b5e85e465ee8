"""The native backend: a compiler from systems of equations to machine code, in Python, with LLVM as its assembler."""

from chainrule.backends.native.program import NativeProgram, compile

__all__ = ["NativeProgram", "compile"]
