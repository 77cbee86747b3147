"""The words of data/croissant.json: its JSON-LD context, what the data are, the responsible-AI answers."""

from __future__ import annotations

from typing import Any

CONTEXT: dict[str, Any] = {  # as Croissant 1.1 wants it
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}

DESCRIPTION = (
    "A benchmark for neural architecture search: ResNet and MobileNet macro-space networks with exact costs, "
    "scores of training-free (zero-cost) proxies at initialisation, accuracies of trained networks, and "
    "predicted accuracies of the others. Predictions are in tables of their own and are no measurements."
)

RESPONSIBLE = {
    "rai:dataCollection": (
        "Computed, not gathered. Architectures are enumerated from a definition; those of a space are chosen "
        "and ordered by SHA-256. Scores are computed from networks at initialisation, accuracies by training "
        "networks on CIFAR-10 with a versioned recipe and seed. Every row names the device, the software and "
        "the commit of the code that made it."
    ),
    "rai:dataCollectionType": ["Experiments", "Software Collection"],
    "rai:dataCollectionRawData": (
        "CIFAR-10 (Krizhevsky, 2009), which is not included. 104 of its 60,000 images were decoded from JPEG "
        "copies, because no lossless copy of them was at hand."
    ),
    "rai:dataCollectionMissingData": (
        "What was not computed has no row. A score that could not be computed is null, with its reason in "
        "the column failures. Accuracies of a training that diverged are null, and its status says so."
    ),
    "rai:dataImputationProtocol": (
        "Nothing is imputed in runs and scores. Accuracies that a Gaussian process predicts are in "
        "predictions, with the standard deviation and the number of runs that it was fitted on."
    ),
    "rai:dataPreprocessingProtocol": [
        "Per class, the 10 % of the official training images with the smallest SHA-256 of "
        "'DATASET/train/INDEX' are val, the rest train; test is the official test set.",
        "Images are normalised, and for recipes and protocols that say so averaged over 2x2 boxes to 16x16.",
    ],
    "rai:dataManipulationProtocol": (
        "Released rows are never edited. A new data version adds rows; one that changes a value has a new "
        "major number."
    ),
    "rai:dataUseCases": [
        "Judging training-free proxies and their combinations by the networks that they pick.",
        "Comparing algorithms of neural architecture search without training.",
        "Not for choosing a network for production: full trainings rank networks otherwise than short ones.",
    ],
    "rai:dataLimitations": [
        "A few networks of each space are trained, the first of the build order; the card counts them.",
        "Trainings are short and most are at 16x16 pixels. They reach no published accuracies.",
        "Nearly all rows were computed on one type of processor. Others round differently.",
        "Times were taken on a shared machine.",
    ],
    "rai:dataBiases": [
        "Networks above 700 M multiply-adds or 14 M parameters are left out.",
        "Four epochs favour shallow networks over deep ones.",
        "All images are of ten classes of CIFAR-10.",
    ],
    "rai:personalSensitiveInformation": ["None: rows are of networks. Images are not included."],
    "rai:dataSocialImpact": (
        "Answers from a table replace trainings, which saves computing time and energy. A ranking that holds "
        "here may not hold on other data; the intervals and the noise between seeds are there to show it."
    ),
    "rai:dataReleaseMaintenancePlan": (
        "Versions follow Croissant's rule: patch for other bytes, minor for additions, major for any changed "
        "value. CHANGELOG.md lists what each version adds. Old versions stay valid."
    ),
}
