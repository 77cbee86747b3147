"""What to cite: the benchmark, the paper it follows, and the papers of its proxies, as BibTeX.

Of a release with imported tables also the papers of their benchmarks, with where the tables were found.
Titles and authors are those of arXiv or the proceedings; no DOIs, and an arXiv number only where the registry
or the paper's own page gives it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nbzero.errors import ReleaseError, unknown_name
from nbzero.proxies.facts import PROXIES
from nbzero.release.sampled import LICENCE, OF_ARCHS, OF_SCORES
from nbzero.spaces.published import IMPORTED

if TYPE_CHECKING:
    from nbzero.bench import Bench
    from nbzero.release.manifest import Parent
    from nbzero.release.schema import Table

OURS = "closed form"  # the source of what needs no paper


@dataclass(frozen=True, slots=True)
class Paper:
    """One entry: its key and its fields.

    `named` is what the registry calls it, where that holds no arXiv number. Empty fields are left out.
    """

    key: str
    title: str
    author: str
    year: int
    venue: str = ""
    arxiv: str = ""
    said: str = ""
    note: str = ""
    journal: str = ""

    @property
    def bibtex(self) -> str:
        """The entry as text: an @article with a journal, an @inproceedings with a venue, else a @misc."""
        kind = "article" if self.journal else "inproceedings" if self.venue else "misc"
        fields = {
            "title": f"{{{self.title}}}",
            "author": self.author,
            "booktitle": self.venue,
            "journal": self.journal,
            "year": str(self.year),
        }
        fields |= {"eprint": self.arxiv, "archivePrefix": "arXiv" if self.arxiv else "", "note": self.note}
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
        return "\n".join([f"@{kind}{{{self.key},", *lines, "}"])


ORIGIN = Paper(
    "chen2021nasbenchzero",
    "NAS-Bench-Zero: A Large Scale Dataset for Understanding Zero-Shot Neural Architecture Search",
    "Chen, Hanlin and Lin, Ming and Sun, Xiuyu and Li, Hao",
    2021,
    note="OpenReview hP-SILoczR, withdrawn. Defines the spaces' block families and mBR; "
    "its data were not released",
)
_WRCOR = Paper(
    "jing2025wrcor",
    "Zero-Shot Neural Architecture Search with Weighted Response Correlation",
    "Jing, Kun and Chen, Luoyu and Xu, Jungang and Tai, Jianwei and Wang, Yiyu and Li, Shuaimin",
    2025,
    arxiv="2507.08841",
)
PAPERS = (
    Paper(
        "abdelfattah2021zerocost",
        "Zero-Cost Proxies for Lightweight NAS",
        "Abdelfattah, Mohamed S. and Mehrotra, Abhinav and Dudziak, {\\L}ukasz and Lane, Nicholas D.",
        2021,
        "International Conference on Learning Representations (ICLR)",
        "2101.08134",
    ),
    Paper(
        "lee2019snip",
        "SNIP: Single-shot Network Pruning based on Connection Sensitivity",
        "Lee, Namhoon and Ajanthan, Thalaiyasingam and Torr, Philip H. S.",
        2019,
        "International Conference on Learning Representations (ICLR)",
        "1810.02340",
    ),
    Paper(
        "wang2020grasp",
        "Picking Winning Tickets Before Training by Preserving Gradient Flow",
        "Wang, Chaoqi and Zhang, Guodong and Grosse, Roger",
        2020,
        "International Conference on Learning Representations (ICLR)",
        "2002.07376",
    ),
    Paper(
        "turner2020blockswap",
        "BlockSwap: Fisher-guided Block Substitution for Network Compression on a Budget",
        "Turner, Jack and Crowley, Elliot J. and O'Boyle, Michael and Storkey, Amos and Gray, Gavin",
        2020,
        "International Conference on Learning Representations (ICLR)",
        said="Turner et al., ICLR 2020",
    ),
    Paper(
        "tanaka2020synflow",
        "Pruning neural networks without any data by iteratively conserving synaptic flow",
        "Tanaka, Hidenori and Kunin, Daniel and Yamins, Daniel L. K. and Ganguli, Surya",
        2020,
        "Advances in Neural Information Processing Systems (NeurIPS)",
        "2006.05467",
    ),
    Paper(
        "lee2020signal",
        "A Signal Propagation Perspective for Pruning Neural Networks at Initialization",
        "Lee, Namhoon and Ajanthan, Thalaiyasingam and Gould, Stephen and Torr, Philip H. S.",
        2020,
        "International Conference on Learning Representations (ICLR)",
        "1906.06307",
    ),
    _WRCOR,
    Paper(
        "mellor2021naswot",
        "Neural Architecture Search without Training",
        "Mellor, Joseph and Turner, Jack and Storkey, Amos and Crowley, Elliot J.",
        2021,
        "International Conference on Machine Learning (ICML)",
        "2006.04647",
        note="jacob_cov is of its first version, arXiv:2006.04647v1",
    ),
    Paper(
        "chen2021tenas",
        "Neural Architecture Search on ImageNet in Four GPU Hours: A Theoretically Inspired Perspective",
        "Chen, Wuyang and Gong, Xinyu and Wang, Zhangyang",
        2021,
        "International Conference on Learning Representations (ICLR)",
        "2102.11535",
    ),
    Paper(
        "peng2024swap",
        "SWAP-NAS: Sample-Wise Activation Patterns for Ultra-fast NAS",
        "Peng, Yameng and Song, Andy and Fayek, Haytham M. and Ciesielski, Vic and Chang, Xiaojun",
        2024,
        "International Conference on Learning Representations (ICLR)",
        "2403.04161",
    ),
    Paper(
        "lin2021zennas",
        "Zen-NAS: A Zero-Shot NAS for High-Performance Image Recognition",
        "Lin, Ming and Wang, Pichao and Sun, Zhenhong and Chen, Hesen and Sun, Xiuyu and Qian, Qi and "
        "Li, Hao and Jin, Rong",
        2021,
        "International Conference on Computer Vision (ICCV)",
        "2102.01063",
    ),
    Paper(
        "zbontar2021barlow",
        "Barlow Twins: Self-Supervised Learning via Redundancy Reduction",
        "Zbontar, Jure and Jing, Li and Misra, Ishan and LeCun, Yann and Deny, St{\\'e}phane",
        2021,
        "International Conference on Machine Learning (ICML)",
        "2103.03230",
    ),
    Paper(
        "peer2021conflicting",
        "Conflicting Bundles: Adapting Architectures Towards the Improved Training of Deep Neural Networks",
        "Peer, David and Stabinger, Sebastian and Rodriguez-Sanchez, Antonio",
        2021,
        "Winter Conference on Applications of Computer Vision (WACV)",
        "2011.02956",
    ),
    Paper(
        "jiang2023meco",
        "MeCo: Zero-Shot NAS with One Data and Single Forward Pass via Minimum Eigenvalue of Correlation",
        "Jiang, Tangyu and Wang, Haodi and Bie, Rongfang",
        2023,
        "Advances in Neural Information Processing Systems (NeurIPS)",
        said="Jiang et al., NeurIPS 2023",
    ),
    Paper(
        "lee2024aznas",
        "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search",
        "Lee, Junghyup and Ham, Bumsub",
        2024,
        "Conference on Computer Vision and Pattern Recognition (CVPR)",
        "2403.19232",
    ),
    Paper(
        "lopes2021epenas",
        "EPE-NAS: Efficient Performance Estimation Without Training for Neural Architecture Search",
        "Lopes, Vasco and Alirezazadeh, Saeid and Alexandre, Lu{\\'i}s A.",
        2021,
        "International Conference on Artificial Neural Networks (ICANN)",
        "2102.08099",
    ),
    Paper(
        "li2023zico",
        "ZiCo: Zero-shot NAS via Inverse Coefficient of Variation on Gradients",
        "Li, Guihong and Yang, Yuedong and Bhardwaj, Kartikeya and Marculescu, Radu",
        2023,
        "International Conference on Learning Representations (ICLR)",
        "2301.11300",
    ),
    Paper(
        "zhang2022gradsign",
        "GradSign: Model Performance Inference with Theoretical Insights",
        "Zhang, Zhihao and Jia, Zhihao",
        2022,
        "International Conference on Learning Representations (ICLR)",
        "2110.08616",
    ),
    Paper(
        "wu2024sed",
        "Zero-Shot NAS via the Suppression of Local Entropy Decrease",
        "Wu, Ning and Huang, Han and Xu, Yueting and Hao, Zhifeng",
        2024,
        arxiv="2411.06236",
        note="sed_reconstructed is our reconstruction after it, not the published SED",
    ),
)


_TRANSNAS = Paper(
    "duan2021transnas",
    "TransNAS-Bench-101: Improving Transferability and Generalizability of Cross-Task Neural "
    "Architecture Search",
    "Duan, Yawen and Chen, Xin and Xu, Hang and Chen, Zewei and Liang, Xiaodan and Zhang, Tong and "
    "Li, Zhenguo",
    2021,
    "Conference on Computer Vision and Pattern Recognition (CVPR)",
    "2105.11871",
)
BENCHMARKS = {  # imported space -> the paper of its benchmark
    "nb201": Paper(
        "dong2020nasbench201",
        "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search",
        "Dong, Xuanyi and Yang, Yi",
        2020,
        "International Conference on Learning Representations (ICLR)",
        "2001.00326",
    ),
    "nb101": Paper(
        "ying2019nasbench101",
        "NAS-Bench-101: Towards Reproducible Neural Architecture Search",
        "Ying, Chris and Klein, Aaron and Christiansen, Eric and Real, Esteban and Murphy, Kevin and "
        "Hutter, Frank",
        2019,
        "International Conference on Machine Learning (ICML)",
        "1902.09635",
    ),
    "nats-sss": Paper(
        "dong2021natsbench",
        "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size",
        "Dong, Xuanyi and Liu, Lu and Musial, Katarzyna and Gabrys, Bogdan",
        2021,
        arxiv="2009.00437",
        journal="IEEE Transactions on Pattern Analysis and Machine Intelligence",
    ),
    "nbmacro": Paper(
        "su2021nasbenchmacro",
        "Prioritized Architecture Sampling with Monto-Carlo Tree Search",
        "Su, Xiu and Huang, Tao and Li, Yanxi and You, Shan and Wang, Fei and Qian, Chen and "
        "Zhang, Changshui and Xu, Chang",
        2021,
        "Conference on Computer Vision and Pattern Recognition (CVPR)",
        "2103.11922",
    ),
    "transnas-macro": _TRANSNAS,
    "transnas-micro": _TRANSNAS,
    "darts": Paper(
        "peng2026swap",
        "Zero-Shot Neural Network Evaluation with Sample-Wise Activation Patterns",
        "Peng, Yameng and Song, Andy and Fayek, Haytham M. and Ciesielski, Vic and Chang, Xiaojun",
        2026,
        arxiv="2605.07378",
        journal="IEEE Transactions on Pattern Analysis and Machine Intelligence",
    ),
    "flexibert": Paper(
        "serianni2023trainingfree",
        "Training-free Neural Architecture Search for RNNs and Transformers",
        "Serianni, Aaron and Kalita, Jugal",
        2023,
        "Annual Meeting of the Association for Computational Linguistics (ACL)",
        "2306.00288",
    ),
    "mobilenetv2": _WRCOR,
}


def benchmark(
    data_version: str,
    sha256: str,
    imported_from: Iterable[str] = (),
    parent: Parent | None = None,
    shipped: Parent | None = None,
) -> Paper:
    """The entry of one release: its data version, and the SHA-256 of its manifest.

    The latter fixes every byte of it. Of a derived release the entry is that of its parent, which others can
    get, and says what was derived from it.

    Args:
        imported_from: the benchmarks that it consists of, where none of its tables are nbzero's own.
        parent: of a derived release.
        shipped: the release that ships with nbzero. One that neither is it nor has a parent says so: its rows
            are of whoever made it.
    """
    networks = "trained ResNet and MobileNet macro-space networks"
    title = f"nbzero: a benchmark of {networks} with every training-free proxy score"
    note = f"Data version {data_version}, manifest SHA-256 {sha256}"
    if parent is not None:
        cited = f"Data version {parent.data_version}, manifest SHA-256 {parent.sha256}"
        note = f"{cited}. The release used was derived from it and has more rows: {note}"
    titles = ", ".join(imported_from)
    if shipped is not None and parent is None and not titles and sha256 != shipped.sha256:
        note += (
            f". This is not the release that ships with nbzero (data version {shipped.data_version}, "
            f"manifest SHA-256 {shipped.sha256}) nor derived from it: its rows are of whoever made it, "
            "whom to cite beside this"
        )
    if titles:
        note += f". All its tables are imported: {titles}; the release was made and read with nbzero"
    return Paper("nbzero", title, "{The nbzero maintainers}", 2026, note=note)


def imported(bench: Bench, spaces: Iterable[str]) -> list[Paper]:
    """The papers of the benchmarks of some imported spaces, each once.

    A note says where the release's tables of them were found, and their licence. It is what the tables say in
    their metadata: repository, commit and path. This needs pyarrow. Of a space without runs the tables are
    ours, and are not read.

    Raises:
        ReleaseError: a table that cannot be read or does not say where it is from.
    """
    notes: dict[Paper, list[str]] = {}
    for space in spaces:
        is_imported = bool(bench.release.space(space).datasets("runs"))
        kinds: dict[str, list[str]] = {}
        for kind, dataset in _kinds(bench, space):
            source = _source(bench, kind, space, dataset) if is_imported else _of_ours(kind)
            kinds.setdefault(source, []).append(kind)
        tables = "; ".join(f"{', '.join(named)}: {text}" for text, named in kinds.items())
        here = "imported" if is_imported else "its networks scored"
        of_space = f"{IMPORTED[space].title}, {here} as {space}: {tables}"
        notes.setdefault(BENCHMARKS[space], []).append(of_space)
    return [replace(paper, note=escaped(". ".join(parts))) for paper, parts in notes.items()]


def _of_ours(kind: Table) -> str:
    """The same of a table whose archs are drawn and whose scores are computed here, without reading it."""
    return f"{OF_ARCHS if kind == 'archs' else OF_SCORES}. Licence: {LICENCE}"


def _source(bench: Bench, kind: Table, space: str, dataset: str | None) -> str:
    """Where an imported table was found, and its licence, as its metadata say."""
    said = bench.arrow(kind, space, dataset).schema.metadata or {}
    for key in (b"nbzero.source", b"nbzero.licence"):
        if key not in said:
            lacks = f"the {kind} table of {space} has no {key.decode()} in its metadata"
            raise ReleaseError(f"{lacks}; import it again with builders.import_bench")
    return f"{said[b'nbzero.source'].decode()}. Licence: {said[b'nbzero.licence'].decode()}"


def _kinds(bench: Bench, space: str) -> list[tuple[Table, str | None]]:
    """One table of each kind that the release has of a space: those of a kind share their source."""
    found: list[tuple[Table, str | None]] = [("archs", None)]
    for kind in ("runs", "scores"):
        found += [(kind, dataset) for dataset in bench.release.space(space).datasets(kind)[:1]]
    return found


def escaped(text: str) -> str:
    """Text for LaTeX, which reads some characters as commands.

    >>> print(escaped("nb201_zen.zip & 100 %"))
    nb201\\_zen.zip \\& 100 \\%
    """
    return re.sub(r"([&%$#_])", r"\\\1", text)


def papers_of(proxy: str) -> tuple[Paper, ...]:
    """The papers that a proxy's registry row names, in its order; none for a closed form.

    Raises:
        UnknownNameError: no such proxy.

    >>> [paper.key for paper in papers_of("zen")]
    ['lin2021zennas']
    """
    if proxy not in PROXIES:
        raise unknown_name("proxy", proxy, PROXIES)
    found = []
    for part in PROXIES[proxy].source.split("; "):
        number = re.search(r"arXiv:(\d{4}\.\d{5})", part)
        if part != OURS:
            found.append(
                next(
                    paper for paper in PAPERS if (paper.arxiv == number[1] if number else paper.said == part)
                )
            )
    return tuple(found)


def papers(proxies: Iterable[str] | None = None) -> dict[Paper, tuple[str, ...]]:
    """Every paper that some proxies need, each once, with the proxies it is of; None: of all proxies."""
    found: dict[Paper, tuple[str, ...]] = {}
    for name in PROXIES if proxies is None else dict.fromkeys(proxies):
        for paper in papers_of(name):
            found[paper] = (*found.get(paper, ()), name)
    return found
