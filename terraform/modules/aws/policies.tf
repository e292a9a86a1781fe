# What each role may do: what cloudml's provider for AWS sends, and nothing else (cloudml_aws/permissions.py has the
# list, and a test compares the two). An action has `*` for its resource only where IAM knows no resource for it.

locals {
  pass = { for role, service in { execution = "sagemaker", scheduler = "scheduler" } : role => {
    Sid       = "Pass${title(role)}"
    Effect    = "Allow"
    Action    = "iam:PassRole"
    Resource  = local.role_arns[role]
    Condition = { StringEquals = { "iam:PassedToService" = "${service}.amazonaws.com" } }
  } }

  storage_statements = [
    {
      Sid       = "ListUnderPrefix"
      Effect    = "Allow"
      Action    = "s3:ListBucket"
      Resource  = local.bucket_arn
      Condition = { StringLike = { "s3:prefix" = "${var.storage_prefix}/*" } }
    },
    { Sid = "LocateBucket", Effect = "Allow", Action = "s3:GetBucketLocation", Resource = local.bucket_arn },
    {
      Sid      = "Objects"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
      Resource = local.objects_arn
    },
  ]

  # An interrupted upload of a large file is found again. IAM knows no prefix for the list.
  unfinished_statements = [
    { Sid = "FindUploads", Effect = "Allow", Action = "s3:ListBucketMultipartUploads", Resource = local.bucket_arn },
    { Sid = "GoOnWithUploads", Effect = "Allow", Action = "s3:ListMultipartUploadParts", Resource = local.objects_arn },
  ]

  instance_condition = { for key, value in {
    Condition = { "ForAllValues:StringEquals" = { "sagemaker:InstanceTypes" = var.compute.allowed_instance_types } }
  } : key => value if length(var.compute.allowed_instance_types) > 0 }

  job_statements = concat([for kind, name in { Training = "training-job", Processing = "processing-job" } : merge({
    Sid      = "Start${kind}Jobs"
    Effect   = "Allow"
    Action   = "sagemaker:Create${kind}Job"
    Resource = local.sagemaker[name]
    }, local.instance_condition)],
    [for kind, name in { Training = "training-job", Processing = "processing-job" } : {
      Sid                         = "FollowStopAndDelete${kind}Jobs"
      Effect                      = "Allow"
      Action                      = [for verb in ["Describe", "Stop", "Delete"] : "sagemaker:${verb}${kind}Job"]
      Resource                    = local.sagemaker[name]
      }], [
      {
        Sid    = "FindThings"
        Effect = "Allow"
        Action = [
          "sagemaker:ListTrainingJobs", "sagemaker:ListProcessingJobs", "sagemaker:ListModelPackageGroups", "sagemaker:ListModelPackages", "sagemaker:ListModels",
          "sagemaker:ListEndpointConfigs", "sagemaker:ListEndpoints", "tag:GetResources",
        ]
        Resource = "*"
      },
      {
        Sid      = "TagOwn"
        Effect   = "Allow"
        Action   = ["sagemaker:AddTags", "sagemaker:ListTags"]
        Resource = [for kind, arn in local.sagemaker : arn if kind != "model-package"]
      },
      { Sid = "FindLogs", Effect = "Allow", Action = "logs:DescribeLogStreams", Resource = local.job_logs_arn },
      {
        Sid      = "ReadAndClearOwnLogs"
        Effect   = "Allow"
        Action   = ["logs:GetLogEvents", "logs:DeleteLogStream"]
        Resource = [for own in ["TrainingJobs:log-stream:${var.name}-*", "ProcessingJobs:log-stream:${var.name}-*", "Endpoints/${var.name}-*:log-stream:*"] : "arn:${local.partition}:logs:${local.scope}:log-group:/aws/sagemaker/${own}"]
      },
      local.pass["execution"],
  ])

  serving_statements = [
    {
      Sid      = "ModelGroups"
      Effect   = "Allow"
      Action   = ["sagemaker:CreateModelPackageGroup", "sagemaker:DeleteModelPackageGroup"]
      Resource = local.sagemaker["model-package-group"]
    },
    {
      Sid      = "ModelVersions"
      Effect   = "Allow"
      Action   = ["sagemaker:CreateModelPackage", "sagemaker:DescribeModelPackage", "sagemaker:DeleteModelPackage"]
      Resource = local.sagemaker["model-package"]
    },
    {
      Sid      = "Models"
      Effect   = "Allow"
      Action   = ["sagemaker:CreateModel", "sagemaker:DescribeModel", "sagemaker:DeleteModel"]
      Resource = local.sagemaker["model"]
    },
    merge({
      Sid      = "CreateEndpointConfigs"
      Effect   = "Allow"
      Action   = "sagemaker:CreateEndpointConfig"
      Resource = local.sagemaker["endpoint-config"]
    }, local.instance_condition),
    {
      Sid      = "EndpointConfigs"
      Effect   = "Allow"
      Action   = ["sagemaker:DescribeEndpointConfig", "sagemaker:DeleteEndpointConfig"]
      Resource = local.sagemaker["endpoint-config"]
    },
    {
      Sid      = "CreateEndpoints"
      Effect   = "Allow"
      Action   = ["sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint"]
      Resource = [local.sagemaker["endpoint"], local.sagemaker["endpoint-config"]]
    },
    {
      Sid      = "Endpoints"
      Effect   = "Allow"
      Action   = ["sagemaker:DescribeEndpoint", "sagemaker:DeleteEndpoint", "sagemaker:InvokeEndpoint", "sagemaker:UpdateEndpointWeightsAndCapacities"]
      Resource = local.sagemaker["endpoint"]
    },
    {
      Sid       = "Autoscaling"
      Effect    = "Allow"
      Action    = ["application-autoscaling:RegisterScalableTarget", "application-autoscaling:DeregisterScalableTarget", "application-autoscaling:PutScalingPolicy"]
      Resource  = "arn:${local.partition}:application-autoscaling:${local.scope}:scalable-target/*"
      Condition = { StringEquals = { "application-autoscaling:service-namespace" = "sagemaker" } }
    },
    {
      Sid      = "LookAtAutoscaling"
      Effect   = "Allow"
      Action   = ["application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies"]
      Resource = "*"
    },
    {
      Sid       = "AutoscalingServiceRole"
      Effect    = "Allow"
      Action    = "iam:CreateServiceLinkedRole"
      Resource  = "arn:${local.partition}:iam::${var.account_id}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
      Condition = { StringEquals = { "iam:AWSServiceName" = "sagemaker.application-autoscaling.amazonaws.com" } }
    },
    {
      Sid      = "AutoscalingAlarms"
      Effect   = "Allow"
      Action   = ["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"]
      Resource = "arn:${local.partition}:cloudwatch:${local.scope}:alarm:TargetTracking-endpoint/${var.name}-*"
    },
    {
      Sid      = "LookAtAlarms"
      Effect   = "Allow"
      Action   = "cloudwatch:DescribeAlarms"
      Resource = "arn:${local.partition}:cloudwatch:${local.scope}:alarm:*"
    },
    {
      Sid      = "MonitorSchedules"
      Effect   = "Allow"
      Action   = ["scheduler:CreateSchedule", "scheduler:GetSchedule", "scheduler:UpdateSchedule", "scheduler:DeleteSchedule"]
      Resource = "arn:${local.partition}:scheduler:${local.scope}:schedule/default/${var.name}-*"
    },
    local.pass["scheduler"],
  ]

  # `cloudml provider check` looks at the policies, the bucket and the quotas; docker pushes images as the adapter.
  image_statements = [
    { Sid = "SimulateOwnRoles", Effect = "Allow", Action = ["iam:SimulatePrincipalPolicy", "iam:GetRole"], Resource = values(local.role_arns) },
    { Sid = "LookAtBucket", Effect = "Allow", Action = ["s3:GetEncryptionConfiguration", "s3:GetBucketPublicAccessBlock"], Resource = local.bucket_arn },
    { Sid = "LookAtQuotas", Effect = "Allow", Action = ["servicequotas:ListServiceQuotas", "servicequotas:ListAWSDefaultServiceQuotas"], Resource = "*" },
    { Sid = "RegistryToken", Effect = "Allow", Action = "ecr:GetAuthorizationToken", Resource = "*" },
    {
      Sid    = "PushAndPullImages"
      Effect = "Allow"
      Action = [
        "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
        "ecr:DescribeImageScanFindings", "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
      ]
      Resource = local.repository_arn
    },
  ]

  adapter_statements = {
    storage = concat(local.storage_statements, local.unfinished_statements)
    jobs    = local.job_statements
    serving = local.serving_statements
    upkeep  = local.image_statements
  }

  network_statements = [
    {
      Sid      = "LookAtNetwork"
      Effect   = "Allow"
      Action   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeVpcs", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups", "ec2:DescribeDhcpOptions"]
      Resource = "*"
    },
    {
      Sid      = "CreateNetworkInterfaces"
      Effect   = "Allow"
      Action   = "ec2:CreateNetworkInterface"
      Resource = [for kind in ["network-interface", "subnet", "security-group"] : "arn:${local.partition}:ec2:${local.scope}:${kind}/*"]
    },
    {
      Sid      = "NetworkInterfaces"
      Effect   = "Allow"
      Action   = ["ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface", "ec2:DeleteNetworkInterfacePermission"]
      Resource = "arn:${local.partition}:ec2:${local.scope}:network-interface/*"
    },
  ]

  execution_statements = concat(local.storage_statements, [
    {
      Sid      = "WriteLogs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      Resource = local.job_logs_arn
    },
    {
      Sid       = "PublishMetrics"
      Effect    = "Allow"
      Action    = "cloudwatch:PutMetricData"
      Resource  = "*"
      Condition = { StringLike = { "cloudwatch:namespace" = "/aws/sagemaker/*" } }
    },
    { Sid = "RegistryToken", Effect = "Allow", Action = "ecr:GetAuthorizationToken", Resource = "*" },
    {
      Sid      = "PullImages"
      Effect   = "Allow"
      Action   = ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"]
      Resource = var.aws_image_repository_arns == null ? ["arn:${local.partition}:ecr:${var.region}:*:repository/*"] : concat([local.repository_arn], var.aws_image_repository_arns)
    },
  ], [for statement in local.network_statements : statement if var.network.enabled])

  scheduler_statements = [
    merge({
      Sid      = "StartMonitors"
      Effect   = "Allow"
      Action   = "sagemaker:CreateProcessingJob"
      Resource = local.sagemaker["processing-job"]
    }, local.instance_condition),
    { Sid = "TagMonitors", Effect = "Allow", Action = "sagemaker:AddTags", Resource = local.sagemaker["processing-job"] },
    local.pass["execution"],
  ]

  # The adapter reads and writes objects, which storage encrypts with the key; jobs and endpoints use the key itself.
  key_statements = {
    adapter = [
      {
        Sid       = "UseKeyThroughStorage"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = local.key_arn
        Condition = { StringLike = { "kms:ViaService" = "s3.${var.region}.*" } }
      },
      { Sid = "LookAtKey", Effect = "Allow", Action = "kms:DescribeKey", Resource = local.key_arn },
    ]
    execution = [
      { Sid = "UseKey", Effect = "Allow", Action = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:DescribeKey"], Resource = local.key_arn },
    ]
  }
}
