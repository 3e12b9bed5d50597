"""`salus demo` on a folder of FHIR files: every step of the main job holds, and the report stands by itself."""

import re
import shutil

from salus.cli.main import main
from salus.node.demo.samples import samples_folder


def test_the_main_job_holds_on_a_folder_and_its_report_needs_nothing(tmp_path, capfd):
    given, report = tmp_path / "given", tmp_path / "report.html"
    given.mkdir()
    shutil.copy(samples_folder() / "north-hospital.ndjson.gz", given)
    code = main(["demo", "--input", str(given), "--report", str(report)])
    out = capfd.readouterr().out
    assert code == 0, out
    assert "Everything held: 16 steps" in out
    assert "does not hold" not in out
    page = report.read_text()
    assert page.count("<svg") == 1
    assert re.search(r"""(src|href)=["'](?!#|data:)|@import|url\(""", page) is None
    assert "moved ahead by 8 days" in page
    assert out.count("refused (") >= 8
