"""Makes a site misbehave at run time, without a change to the files that its pin covers.

Python imports this module by itself in every process whose path has its folder. In the site's working process it
wraps the method's round as ``MISBEHAVE`` says, and takes the site's own guard away: what is tested is the server.
"""

import dataclasses
import importlib
import importlib.abc
import importlib.util
import os
import sys
import time

KIND = os.environ.get("MISBEHAVE", "")
METHOD, GUARD = "client_app.methods.fedlpa", "client_app.institution"


def misbehaving(run_round):
    def worse(task):
        if KIND == "hang":
            time.sleep(3600)
        started = time.monotonic()
        answer = run_round(task)
        if KIND == "slow":
            time.sleep(99 * (time.monotonic() - started))
        record = "weights" if "weights" in answer.records else "catalogue"  # the closing round sends rows alone
        for name, array in answer.records[record].items():
            if KIND == "nan" and array.dtype.kind == "f":
                answer.records[record][name] = array * float("nan")
            if KIND == "shapes":
                answer.records[record][name] = array[..., None]
        return answer

    return worse


class Loader(importlib.abc.Loader):
    def __init__(self, loader):
        self.loader = loader

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.loader.exec_module(module)
        if module.__name__ == METHOD:
            module.METHOD = dataclasses.replace(module.METHOD, run_round=misbehaving(module.METHOD.run_round))
        else:
            module._judged = lambda message, reply, *others: reply.content
            module.remember_model = module.append_event = lambda *arguments: None
            importlib.import_module("client_app.model_check").check_model = lambda *arguments: None


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name not in {METHOD, GUARD}:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        spec.loader = Loader(spec.loader)
        return spec


if KIND and "fedlpa.flower.worker" in sys.orig_argv:
    sys.meta_path.insert(0, Finder())
