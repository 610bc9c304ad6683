"""The toolkit that moves a code base onto `unified_env`: it reads source text and rewrites it, it never imports or runs the code it reads.

``scan`` finds environment accesses, ``analysis`` reports them, ``rewrite`` moves them, ``gate`` keeps new ones out.
"""
