# A driver's bad pointer arrives as a signal that the machine turns into an NT exception or a bug check. It is the
# machine's business, not the debugger's.
handle SIGSEGV nostop noprint pass
handle SIGBUS nostop noprint pass
handle SIGFPE nostop noprint pass
handle SIGILL nostop noprint pass
